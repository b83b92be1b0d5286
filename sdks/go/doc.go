// Package openmiosa is the client of OpenMIOSA: sandboxes in which agents work with credentials that they never hold.
//
//	client, err := openmiosa.NewClient() // MIOSA_API_KEY and MIOSA_BASE_URL
//	sandbox, err := client.Sandboxes.Create(ctx, "support-agent", nil)
//	defer sandbox.Destroy(ctx)
//	_, err = sandbox.Secrets.Set(ctx, openmiosa.SetSecretOptions{Name: "openai_key", Value: key, ExposeAsEnv: "OPENAI_API_KEY"})
//	result, err := sandbox.Exec.Run(ctx, openmiosa.Shell("python3 agent.py"))
//	for event, err := range sandbox.Audit.Tail(ctx, nil) { … }
//
// The nouns and the methods are those of the Python and TypeScript SDKs. Everything takes a context first; lists that may
// be long and streams are iterators of a value and an error, and an error is their last element. Options are structs,
// which may be nil where nothing is required. A terminal over a WebSocket is in the module …/sdks/go/ws, so that this one
// needs nothing but the standard library.
package openmiosa

// Version is the version of this module.
const Version = "0.1.0"
