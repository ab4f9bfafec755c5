"""Enhanced presence as Office Communicator 2007 and its successors write it: categories, containers, publications."""
