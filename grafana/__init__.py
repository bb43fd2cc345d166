"""Dashboards as code, and what Prometheus and Grafana are provisioned with. No part of the product imports it."""
