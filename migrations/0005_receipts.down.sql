DROP TABLE pass_run, call_receipt;
