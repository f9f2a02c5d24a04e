// Package telemetry says which nvad this is, and writes its log.
//
// Promise: an event has one line, known keys and a place in systemd's journal; one
// that repeats too fast is counted, not lost. The package imports nothing of nvad
// and decides nothing about routes; its state is what the log holds back. Numbers
// are package metrics' business.
package telemetry
