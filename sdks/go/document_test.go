package openmiosa

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// optionsOf are the options of a method by the operation of contracts/openapi.json that takes them.
var optionsOf = map[string]any{
	"sandboxes.create": CreateSandboxOptions{}, "sandboxes.list": ListSandboxesOptions{}, "sandboxes.update": UpdateSandboxOptions{},
	"sandboxes.fork": ForkOptions{}, "exec.run": execOptions{}, "processes.start": Command{}, "files.list": ListFilesOptions{},
	"files.watch": WatchOptions{}, "files.delete": DeleteFileOptions{}, "snapshots.create": CreateSnapshotOptions{}, "secrets.set": SetSecretOptions{},
	"secrets.list": ListSecretsOptions{}, "secrets.rotate": RotateSecretOptions{}, "secrets.reauthorize": ReauthorizeOptions{},
	"oauth.start": ConnectOptions{}, "oauth.machine": MachineOauthOptions{}, "bindings.create": BindOptions{},
	"bindings.list": ListBindingsOptions{}, "rules.add": RuleOptions{}, "rules.list": ListRulesOptions{}, "network.lockdown": LockdownOptions{},
	"policies.create": CreatePolicyOptions{}, "policies.update": UpdatePolicyOptions{}, "network.suggestions": SuggestionsOptions{},
	"audit.list": ListEventsOptions{}, "audit.export": ListEventsOptions{}, "api_keys.create": CreateKeyOptions{},
	"api_keys.create_scoped": CreateScopedKeyOptions{}, "api_keys.update": UpdateKeyOptions{}, "api_keys.rotate": RotateKeyOptions{},
	"api_keys.delete": DeleteKeyOptions{}, "api_keys.events": KeyEventsOptions{}, "api_keys.save_preset": SavePresetOptions{},
	"tokens.create_scoped": ScopedTokenOptions{}, "admin_log.list": ListAdminLogOptions{},
}

// execOptions is Command without what only a process in the background has.
type execOptions struct {
	Line string `json:"command"`
	Dir  string `json:"cwd"`
}

// operation is what the document says of one.
type operation struct {
	ID         string `json:"operationId"`
	Parameters []struct {
		Name, In string
		Ref      string `json:"$ref"`
	}
	RequestBody struct {
		Content map[string]struct {
			Schema struct {
				Ref string `json:"$ref"`
			}
		}
	} `json:"requestBody"`
}

type document struct {
	Paths      map[string]map[string]json.RawMessage
	Components struct {
		Schemas map[string]struct {
			Properties map[string]json.RawMessage
		}
		Parameters map[string]struct{ Name string }
	}
}

// takes lists the names that each operation takes, in its body or its query.
func takes(t *testing.T) map[string][]string {
	t.Helper()
	raw, err := os.ReadFile("../../contracts/openapi.json")
	must(t, err)
	var whole document
	must(t, json.Unmarshal(raw, &whole))
	names := map[string][]string{}
	for _, methods := range whole.Paths {
		for _, raw := range methods {
			var one operation
			if json.Unmarshal(raw, &one) != nil {
				continue // What a path has beside its methods.
			}
			for _, parameter := range one.Parameters {
				shared := whole.Components.Parameters[parameter.Ref[strings.LastIndex(parameter.Ref, "/")+1:]]
				names[one.ID] = append(names[one.ID], parameter.Name+shared.Name)
			}
			for _, content := range one.RequestBody.Content {
				ref := content.Schema.Ref
				for name := range whole.Components.Schemas[ref[strings.LastIndex(ref, "/")+1:]].Properties {
					names[one.ID] = append(names[one.ID], name)
				}
			}
		}
	}
	return names
}

func TestEveryOptionIsOneThatTheAPITakes(t *testing.T) {
	names := takes(t)
	for id, options := range optionsOf {
		if len(names[id]) == 0 {
			t.Errorf("there is no operation %s that takes anything", id)
		}
		for _, field := range fieldsOf(reflect.TypeOf(options)) {
			if !slices.Contains(names[id], field.name) {
				t.Errorf("%s takes no %s", id, field.name)
			}
		}
	}
}

func TestEveryOptionIsSpelledAsTheAPISpellsIt(t *testing.T) {
	spelled := map[string]string{"Template": "template_id", "Line": "command", "Args": "argv", "Dir": "cwd"}
	for _, options := range optionsOf {
		kind := reflect.TypeOf(options)
		for index := range kind.NumField() {
			field := kind.Field(index)
			tag := field.Tag.Get("json")
			if tag == "-" && (field.Name == "Extra" || field.Name == "NoWait") {
				continue
			}
			if want := spelled[field.Name]; tag != want && (want != "" || strings.ReplaceAll(tag, "_", "") != strings.ToLower(field.Name)) {
				t.Errorf("%s.%s is spelled %q", kind.Name(), field.Name, tag)
			}
			if field.Type.Kind() == reflect.Pointer && !slices.Contains([]reflect.Kind{reflect.Bool, reflect.Int}, field.Type.Elem().Kind()) {
				t.Errorf("%s.%s is a pointer where the zero value says nothing", kind.Name(), field.Name)
			}
		}
	}
}
