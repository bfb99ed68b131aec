DELETE FROM ck8s.partitioned WHERE parent = 'ingress.deliveries';
DROP TABLE ingress.requests;
DROP TABLE ingress.deliveries;
DROP TABLE ingress.delivery_keys;
