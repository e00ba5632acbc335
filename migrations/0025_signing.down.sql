DROP TABLE signature_log, sign_request, signing_key;
