package api

import (
	"crypto/tls"
	"testing"
)

// Certificates loaded for options that are no longer in use are dropped.
func TestReplaceTooLate(t *testing.T) {
	old, next := &tls.Config{}, &tls.Config{}
	c := &Certificates{options: TLSOptions{Admins: []string{"CN=new"}}, generation: 2, config: next}
	if c.replace(1, nil, old) != next || c.config != next || c.admins()[0] != "CN=new" {
		t.Errorf("got %+v", c)
	}
	if c.replace(2, nil, old) != old || c.config != old || c.admins()[0] != "CN=new" {
		t.Errorf("got %+v", c)
	}
}
