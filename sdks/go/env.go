package openmiosa

import (
	"context"
	"maps"
	"net/http"
	"slices"
)

// Env has the variables of a sandbox's own environment. Its agent can read them, so they are no place for a secret; those
// that secrets are exposed under are in Secrets.Bindings.
type Env struct{ scope scope }

// List gives the variables.
func (e *Env) List(ctx context.Context) ([]Variable, error) {
	body, err := e.scope.inside(ctx, http.MethodGet, nil, nil, "env")
	return recordsOf[Variable](body, err)
}

// Set replaces the variables by these; processes that run keep what they had.
func (e *Env) Set(ctx context.Context, variables map[string]string) ([]Variable, error) {
	wanted := []object{}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		wanted = append(wanted, object{"key": name, "value": variables[name]})
	}
	body, err := e.scope.inside(ctx, http.MethodPut, nil, object{"vars": wanted}, "env")
	return recordsOf[Variable](body, err)
}

// Delete removes one variable.
func (e *Env) Delete(ctx context.Context, name string) error {
	_, err := e.scope.inside(ctx, http.MethodDelete, nil, nil, "env", name)
	return err
}
