DROP TABLE ingress.missing_deliveries;
