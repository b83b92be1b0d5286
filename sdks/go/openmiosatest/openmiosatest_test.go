package openmiosatest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// command writes a program that stands where `openmiosa` would.
func command(t *testing.T, script string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "openmiosa")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OPENMIOSA_COMMAND", path)
}

const announcement = `echo '{"base_url": "http://127.0.0.1:9", "api_key": "msk_live_x", "state": "/nowhere"}'` + "\n"

func TestTheSystemIsWhereItSaysAndEndsWithItsInput(t *testing.T) {
	marks := filepath.Join(t.TempDir(), "marks")
	command(t, `echo "$@" > `+marks+"\n"+announcement+"cat\necho ended >> "+marks+"\n")
	system, err := Run(&Options{Config: "some.toml"})
	if err != nil {
		t.Fatal(err)
	}
	if system.APIKey != "msk_live_x" || system.Client.BaseURL() != "http://127.0.0.1:9/api/v1" || system.State != "/nowhere" {
		t.Fatalf("got %+v", system)
	}
	if err := system.Close(); err != nil {
		t.Fatal(err)
	}
	left, _ := os.ReadFile(marks)
	if string(left) != "up --ephemeral --config some.toml\nended\n" {
		t.Fatalf("got %q", left)
	}
}

func TestASystemThatDoesNotStartSaysWhy(t *testing.T) {
	command(t, "echo 'this machine cannot run sandboxes' >&2\nexit 3\n")
	_, err := Run(nil)
	if err == nil || !strings.Contains(err.Error(), "cannot run sandboxes") {
		t.Fatalf("got %v", err)
	}
}

func TestACommandThatIsNotThereIsSaid(t *testing.T) {
	t.Setenv("OPENMIOSA_COMMAND", filepath.Join(t.TempDir(), "nothing"))
	_, err := Run(nil)
	if err == nil || !strings.Contains(err.Error(), "OPENMIOSA_COMMAND") {
		t.Fatalf("got %v", err)
	}
}

func TestASystemThatEndsBadlyIsAnError(t *testing.T) {
	command(t, announcement+"cat\necho 'left a mess' >&2\nexit 1\n")
	system, err := Run(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := system.Close(); err == nil || !strings.Contains(err.Error(), "left a mess") {
		t.Fatalf("got %v", err)
	}
}
