"""The command line: one file a subcommand; typer lives here and nowhere else."""
