// Package prometheus has a real Prometheus scrape a real nvad, and holds the alert
// rules and the dashboard against what it finds.
package prometheus
