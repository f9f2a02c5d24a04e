// Package prometheus lets a real Prometheus scrape a real nvad, and checks the alert rules and
// the dashboard against the metrics it finds.
package prometheus
