"""What goes over the wire: requests and answers, one API a file."""
