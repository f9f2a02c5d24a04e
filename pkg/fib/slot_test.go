package fib

import (
	"testing"
	"unsafe"
)

// TestSlotSize holds the memory that every route costs. Go allocates 96 octets for a slot,
// and 112 for one of 97.
func TestSlotSize(t *testing.T) {
	if n := unsafe.Sizeof(slot{}); n > 96 {
		t.Errorf("a slot has %d octets", n)
	}
}
