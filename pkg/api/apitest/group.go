package apitest

import (
	"os"
	"os/user"
	"strconv"
	"testing"
)

// OwnGroup is the primary group of the test's process. A server with it as its
// group of administrators takes commands from the test, whoever runs it.
func OwnGroup(t testing.TB) string {
	t.Helper()
	g, err := user.LookupGroupId(strconv.Itoa(os.Getgid()))
	if err != nil {
		t.Skipf("no name for the own group: %v", err)
	}
	return g.Name
}
