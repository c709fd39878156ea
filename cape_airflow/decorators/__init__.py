"""TaskFlow decorators: `@task.cape_transform`."""
