package api

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/nvad/nvad/pkg/engine"
)

// callerError is an error that the caller can do something about. The caller gets its
// text unchanged.
type callerError struct {
	code codes.Code
	text string
}

func (e *callerError) Error() string { return e.text }

// NotFound returns the error for something that is not configured or not known.
func NotFound(format string, args ...any) error {
	return &callerError{codes.NotFound, fmt.Sprintf(format, args...)}
}

// Invalid returns the error for a request or a file that can never be right.
func Invalid(format string, args ...any) error {
	return &callerError{codes.InvalidArgument, fmt.Sprintf(format, args...)}
}

// Conflict returns the error for a request that the present state does not allow, such
// as the reset of a neighbor that is shut down.
func Conflict(format string, args ...any) error {
	return &callerError{codes.FailedPrecondition, fmt.Sprintf(format, args...)}
}

// statusOf gives err the fitting gRPC code.
func statusOf(err error) error {
	var ce *callerError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ce):
		return status.Error(ce.code, err.Error())
	case errors.Is(err, engine.ErrNoNeighbor), errors.Is(err, engine.ErrNoRoute):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "canceled")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "nvad did not answer in time")
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.Error(codes.Internal, err.Error())
}
