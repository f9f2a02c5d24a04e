// Package telemetry says what nvad is and does in numbers and names.
//
// Promise: a leaf. It imports nothing of nvad and holds no state that decides
// anything.
package telemetry
