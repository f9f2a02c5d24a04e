package ctl

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/nvad/nvad/pkg/api/apitest"
)

// TestOverLimit: who asks for more than a caller may have reads why, in one line.
func TestOverLimit(t *testing.T) {
	d := apitest.Hub00()
	d.Err = status.Error(codes.ResourceExhausted, "too many tables and profiles being read: you have 4 at nvad already, the most that one caller may have; end one first")
	wantError(t, nvactl(t, serve(t, d), "routes", "fib"),
		"too many tables and profiles being read: you have 4 at nvad already, the most that one caller may have; end one first")
}
