package arm

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Role is a role definition as `az role definition create` accepts it, as far as it decides
// about requests.
type Role struct {
	Name       string
	Actions    []string
	NotActions []string
}

// ReadRole reads a role definition.
func ReadRole(file string) (Role, error) {
	var r Role
	data, err := os.ReadFile(file)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%s: %w", file, err)
	}
	if len(r.Actions) == 0 {
		return r, fmt.Errorf("%s: %w", file, errors.New("a role without actions"))
	}
	return r, nil
}

// Allows reports whether the role allows an action. Actions are compared regardless of case,
// and * in a role stands for any text.
func (r Role) Allows(action string) bool {
	matches := func(pattern string) bool {
		expr := "(?i)^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$"
		return regexp.MustCompile(expr).MatchString(action)
	}
	return slices.ContainsFunc(r.Actions, matches) && !slices.ContainsFunc(r.NotActions, matches)
}

// Grant gives an identity a role at a scope and at everything below it: a subscription, a
// resource group or a resource.
type Grant struct {
	Principal string // object ID
	Role      Role
	Scope     string
}

// Assign gives the identity with an object ID a role at a scope.
func (s *State) Assign(principal string, role Role, scope string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grants = append(s.grants, Grant{Principal: principal, Role: role, Scope: scope})
}

// allowed reports whether an identity may do something at a scope.
func (s *State) allowed(principal, action, scope string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.grants, func(g Grant) bool {
		return strings.EqualFold(g.Principal, principal) && below(scope, g.Scope) && g.Role.Allows(action)
	})
}

// sees reports whether an identity has any role at a scope, above or below it. Lists of
// subscriptions and resource groups have only what it sees.
func (s *State) sees(principal, scope string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.grants, func(g Grant) bool {
		return strings.EqualFold(g.Principal, principal) && (below(scope, g.Scope) || below(g.Scope, scope))
	})
}

// may reports whether an identity may do something at a scope or anywhere below it.
func (s *State) may(principal, action, scope string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.grants, func(g Grant) bool {
		return strings.EqualFold(g.Principal, principal) && (below(scope, g.Scope) || below(g.Scope, scope)) && g.Role.Allows(action)
	})
}

// below reports whether id is scope or lies below it.
func below(id, scope string) bool {
	id, scope = strings.ToLower(id), strings.TrimSuffix(strings.ToLower(scope), "/")
	return id == scope || strings.HasPrefix(id, scope+"/")
}
