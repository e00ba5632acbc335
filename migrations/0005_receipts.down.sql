DROP TABLE call_receipt;
