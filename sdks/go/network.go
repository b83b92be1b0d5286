package openmiosa

import (
	"context"
	"net/http"
	"time"
)

// Network is what one sandbox may call, or the tenant's default: rules, the two modes, and what was seen.
type Network struct{ scope scope }

// RuleOptions narrows a rule to methods, paths or a port.
type RuleOptions struct {
	Methods []string `json:"methods"`
	// PathGlob is a pattern of paths, such as /v1/**.
	PathGlob string         `json:"path_glob"`
	Port     int            `json:"port"`
	Note     string         `json:"note"`
	PolicyID string         `json:"policy_id"`
	Extra    map[string]any `json:"-"`
}

// ListRulesOptions narrows a list of rules.
type ListRulesOptions struct {
	PolicyID string         `json:"policy_id"`
	Extra    map[string]any `json:"-"`
}

// LockdownOptions says which hosts stay open: exactly these, and none when there are none.
type LockdownOptions struct {
	Hosts []string `json:"hosts"`
}

// CreatePolicyOptions is a policy of one's own. Name is required.
type CreatePolicyOptions struct {
	Name string `json:"name"`
	// Mode is enforce when it is empty, or audit_only; DefaultEffect is deny when it is empty, or allow.
	Mode          string         `json:"mode"`
	DefaultEffect string         `json:"default_effect"`
	Description   string         `json:"description"`
	Extra         map[string]any `json:"-"`
}

// UpdatePolicyOptions says what changes of a policy; what is empty stays.
type UpdatePolicyOptions struct {
	Name          string         `json:"name"`
	Mode          string         `json:"mode"`
	DefaultEffect string         `json:"default_effect"`
	Description   string         `json:"description"`
	Extra         map[string]any `json:"-"`
}

// SuggestionsOptions says since when calls are counted; the last seven days when it does not.
type SuggestionsOptions struct {
	Since time.Time      `json:"since"`
	Extra map[string]any `json:"-"`
}

// Allow lets a host be called: exact, *.suffix, or a CIDR for literal addresses.
func (n *Network) Allow(ctx context.Context, host string, options *RuleOptions) (*Rule, error) {
	return n.rule(ctx, host, "allow", options)
}

// Deny never lets a host be called, in either mode; it beats every allow.
func (n *Network) Deny(ctx context.Context, host string, options *RuleOptions) (*Rule, error) {
	return n.rule(ctx, host, "deny", options)
}

// Remove takes back a rule, by its id or its host.
func (n *Network) Remove(ctx context.Context, ruleOrHost string) error {
	_, err := n.scope.call(ctx, http.MethodDelete, n.scope.resource(), nil, "egress", "allowlist", ruleOrHost)
	return err
}

// Rules lists the rules there are.
func (n *Network) Rules(ctx context.Context, options *ListRulesOptions) ([]Rule, error) {
	body, err := n.scope.call(ctx, http.MethodGet, merged(n.scope.resource(), given(options)), nil, "egress", "allowlist")
	return recordsOf[Rule](body, err)
}

// Lockdown lets only the rules pass from now on. Without options the rules there are stay, and where there are none the
// error is ErrNoRules, whose Observed lists the hosts that were called. With options their hosts become the rules in the
// same step.
func (n *Network) Lockdown(ctx context.Context, options *LockdownOptions) (*Policy, error) {
	wanted := n.scope.resource()
	if options != nil {
		wanted["hosts"] = append([]string{}, options.Hosts...)
	}
	return n.policy(ctx, http.MethodPost, wanted, "egress", "lockdown")
}

// Observe goes back to recording without blocking; secrets still go only where they are bound.
func (n *Network) Observe(ctx context.Context) (*Policy, error) {
	return n.policy(ctx, http.MethodPost, n.scope.resource(), "egress", "observe")
}

// GetPolicy gives the policy with its rules.
func (n *Network) GetPolicy(ctx context.Context) (*Policy, error) {
	found, err := n.Policies(ctx)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &APIError{Kind: ErrNotFound, Code: "NOT_FOUND", Status: http.StatusNotFound, Message: "there is no policy yet"}
	}
	own := found[0]
	for _, policy := range found {
		if policy.ResourceID == n.scope.sandbox {
			own = policy
			break
		}
	}
	return n.policy(ctx, http.MethodGet, nil, "egress", "policies", own.ID)
}

// Policies lists the policies there are.
func (n *Network) Policies(ctx context.Context) ([]Policy, error) {
	body, err := n.scope.call(ctx, http.MethodGet, n.scope.resource(), nil, "egress", "policies")
	return recordsOf[Policy](body, err)
}

// CreatePolicy makes a policy for the sandbox, or for the tenant.
func (n *Network) CreatePolicy(ctx context.Context, options CreatePolicyOptions) (*Policy, error) {
	wanted := merged(object{"mode": "enforce", "default_effect": "deny"}, n.scope.resource(), given(options))
	return n.policy(ctx, http.MethodPost, wanted, "egress", "policies")
}

// UpdatePolicy changes a policy.
func (n *Network) UpdatePolicy(ctx context.Context, policyID string, options UpdatePolicyOptions) (*Policy, error) {
	return n.policy(ctx, http.MethodPatch, given(options), "egress", "policies", policyID)
}

// Suggestions lists the hosts that were called, with counts: what a lockdown would have to allow.
func (n *Network) Suggestions(ctx context.Context, options *SuggestionsOptions) ([]Suggestion, error) {
	query := merged(object{"since": "7d"}, n.scope.resource(), given(options))
	body, err := n.scope.call(ctx, http.MethodGet, query, nil, "egress", "audit", "suggestions")
	return recordsOf[Suggestion](body, err)
}

// Pending lists the hosts that were refused since the lockdown, and the secrets that wait for a host.
func (n *Network) Pending(ctx context.Context) ([]PendingHost, error) {
	body, err := n.scope.call(ctx, http.MethodGet, n.scope.resource(), nil, "egress", "pending")
	return recordsOf[PendingHost](body, err)
}

func (n *Network) rule(ctx context.Context, host, effect string, options *RuleOptions) (*Rule, error) {
	wanted := merged(n.scope.resource(), given(options), object{"host": host, "effect": effect})
	body, err := n.scope.call(ctx, http.MethodPost, nil, wanted, "egress", "allowlist")
	return recordOf[Rule](body, err, "rule")
}

func (n *Network) policy(ctx context.Context, method string, wanted object, segments ...string) (*Policy, error) {
	var sent any
	if wanted != nil {
		sent = wanted
	}
	body, err := n.scope.call(ctx, method, nil, sent, segments...)
	return recordOf[Policy](body, err, "policy")
}
