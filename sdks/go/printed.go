// How records print: each field that the server said by its name, and nothing of how it came.

package openmiosa

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// String names the fields that were said.
func (r AdminEntry) String() string { return described(r) }

// String names the fields that were said.
func (r Artifacts) String() string { return described(r) }

// String names the fields that were said.
func (r Binding) String() string { return described(r) }

// String names the fields that were said.
func (r Calls) String() string { return described(r) }

// String names the fields that were said.
func (r ExecResult) String() string { return described(r) }

// String names the fields that were said.
func (r FileChange) String() string { return described(r) }

// String names the fields that were said.
func (r FileInfo) String() string { return described(r) }

// String names the fields that were said.
func (r FileTree) String() string { return described(r) }

// String names the fields that were said.
func (r Identity) String() string { return described(r) }

// String names the fields that were said.
func (r KeyPreset) String() string { return described(r) }

// String names the fields that were said.
func (r Limits) String() string { return described(r) }

// String names the fields that were said.
func (r MadeFiles) String() string { return described(r) }

// String names the fields that were said.
func (r Metrics) String() string { return described(r) }

// String names the fields that were said.
func (r PendingHost) String() string { return described(r) }

// String names the fields that were said.
func (r Policy) String() string { return described(r) }

// String names the fields that were said.
func (r Preview) String() string { return described(r) }

// String names the fields that were said.
func (r Process) String() string { return described(r) }

// String names the fields that were said.
func (r Provider) String() string { return described(r) }

// String names the fields that were said.
func (r Readiness) String() string { return described(r) }

// String names the fields that were said.
func (r RequestTransforms) String() string { return described(r) }

// String names the fields that were said.
func (r ResourceContract) String() string { return described(r) }

// String names the fields that were said.
func (r Resources) String() string { return described(r) }

// String names the fields that were said.
func (r Rule) String() string { return described(r) }

// String names the fields that were said.
func (r SandboxInfo) String() string { return described(r) }

// String names the fields that were said.
func (r Secret) String() string { return described(r) }

// String names the fields that were said.
func (r SecretTransforms) String() string { return described(r) }

// String names the fields that were said.
func (r SecretUse) String() string { return described(r) }

// String names the fields that were said.
func (r SnapshotInfo) String() string { return described(r) }

// String names the fields that were said.
func (r Suggestion) String() string { return described(r) }

// String names the fields that were said.
func (r Template) String() string { return described(r) }

// String names the fields that were said.
func (r Usage) String() string { return described(r) }

// String names the fields that were said.
func (r Variable) String() string { return described(r) }

// described prints a struct's fields that are not empty; in place of the hidden ones stands that they are, as nobody may see
// them in a log.
func described(record any, hidden ...string) string {
	source := reflect.ValueOf(record)
	var said []string
	for index := range source.NumField() {
		field := source.Type().Field(index)
		value := source.Field(index)
		if !field.IsExported() || field.Anonymous || value.IsZero() {
			continue
		}
		shown := "(hidden)"
		if !slices.Contains(hidden, field.Name) {
			shown = shownValue(value)
		}
		said = append(said, field.Name+":"+shown)
	}
	return source.Type().Name() + "{" + strings.Join(said, " ") + "}"
}

// shownValue is what a pointer leads to rather than where, and text that steers no terminal.
func shownValue(value reflect.Value) string {
	value = reflect.Indirect(value)
	if moment, isTime := value.Interface().(time.Time); isTime {
		return moment.Format(time.RFC3339)
	}
	return plain(fmt.Sprint(value.Interface()))
}
