"""What can be chosen to be made, as a table: the form, the options of the function and the command that follow."""
