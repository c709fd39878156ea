"""PostgreSQL: COPY in its binary format both ways, by ADBC."""
