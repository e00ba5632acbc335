DROP TABLE callback_delivery;
DROP TABLE callback_log;
