package main

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

func TestEveryOperationOfTheAPIHasItsMethods(t *testing.T) {
	raw, err := os.ReadFile("../../../../contracts/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	names, err := all()
	if err != nil {
		t.Fatal(err)
	}
	checked, operations := 0, 0
	for path, methods := range document.Paths {
		for method, raw := range methods {
			var operation struct {
				SDK []string `json:"x-sdk"`
			}
			if json.Unmarshal(raw, &operation) != nil {
				continue // What a path has beside its methods.
			}
			if len(operation.SDK) > 0 {
				operations++
			}
			for _, name := range operation.SDK {
				checked++
				if !slices.Contains(names, name) {
					t.Errorf("%s %s: there is no %s", method, path, name)
				}
			}
		}
	}
	t.Logf("%d methods of %d operations", checked, operations)
	if checked < 80 {
		t.Fatalf("the document names %d methods; is it the right one?", checked)
	}
}

func TestNamesAreSpelledAsEveryLanguageSpellsThem(t *testing.T) {
	for name, want := range map[string]string{
		"APIKeys": "api_keys", "SSETicket": "sse_ticket", "AddMachineOauth": "add_machine_oauth", "Whoami": "whoami", "GetPolicy": "get_policy",
		"FS": "fs", "UploadFS": "upload_fs", "AdminLog": "admin_log", "BaseURL": "base_url",
	} {
		if got := snake(name); got != want {
			t.Errorf("%s is %s, not %s", name, got, want)
		}
	}
}
