"""What lies elsewhere in older lines of Airflow."""

from __future__ import annotations

import asyncio
from typing import Any

from airflow.sdk.log import mask_secret

try:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSensorTimeout
except ImportError:  # Airflow 3.1, whose types the checker does not see
    from airflow.exceptions import (  # type: ignore[no-redef,attr-defined]
        AirflowException,
        AirflowFailException,
        AirflowSensorTimeout,
    )

try:
    from airflow.sdk.log import amask_secret
except ImportError:  # Airflow 3.1

    async def amask_secret(secret: Any, name: str | None = None) -> None:  # type: ignore[misc]
        """Have the logs of this process and of its supervisor show no such secret, from within an event loop."""
        await asyncio.to_thread(mask_secret, secret, name)


__all__ = ["AirflowException", "AirflowFailException", "AirflowSensorTimeout", "amask_secret"]
