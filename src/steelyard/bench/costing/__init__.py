"""What systems cost to run, measured in processes of their own."""
