package openmiosa_test

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"time"

	openmiosa "github.com/openmiosa/openmiosa/sdks/go"
)

//go:embed doc.go
var project embed.FS

func Example() {
	ctx := context.Background()
	client, err := openmiosa.NewClient() // MIOSA_API_KEY and MIOSA_BASE_URL
	if err != nil {
		log.Fatal(err)
	}
	sandbox, err := client.Sandboxes.Create(ctx, "support-agent", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer sandbox.Destroy(ctx)

	secret := openmiosa.SetSecretOptions{Name: "openai_key", Value: os.Getenv("OPENAI_API_KEY"), ExposeAsEnv: "OPENAI_API_KEY"}
	if _, err := sandbox.Secrets.Set(ctx, secret); err != nil {
		log.Fatal(err)
	}
	result, err := sandbox.Exec.Run(ctx, openmiosa.Shell("printenv OPENAI_API_KEY"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(result.Stdout) // miosa-tok-…
}

func ExampleNewClient() {
	client, err := openmiosa.NewClient(
		openmiosa.WithAPIKey("msk_live_example"),
		openmiosa.WithBaseURL("https://miosa.example.com"),
		openmiosa.WithTimeout(10*time.Second),
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.BaseURL())
	// Output: https://miosa.example.com/api/v1
}

func ExampleExec_Stream() {
	ctx, sandbox := exampleSandbox()
	for event, err := range sandbox.Exec.Stream(ctx, openmiosa.Args("pip", "download", "requests")) {
		if err != nil {
			log.Fatal(err)
		}
		if event.Type == "exit" {
			fmt.Println("exited with", event.ExitCode)
		} else {
			fmt.Print(event.Data)
		}
	}
}

func ExampleAudit_Tail() {
	ctx, sandbox := exampleSandbox()
	for event, err := range sandbox.Audit.Tail(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event) // [audit] allow api.openai.com HTTP 200 secrets=openai_key
	}
}

func ExampleNetwork_Lockdown() {
	ctx, sandbox := exampleSandbox()
	_, err := sandbox.Network.Lockdown(ctx, nil)
	var refused *openmiosa.APIError
	if errors.Is(err, openmiosa.ErrNoRules) && errors.As(err, &refused) {
		options := &openmiosa.LockdownOptions{}
		for _, seen := range refused.Observed() {
			options.Hosts = append(options.Hosts, seen.Host)
		}
		_, err = sandbox.Network.Lockdown(ctx, options)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func ExampleSecrets_Connect() {
	ctx, sandbox := exampleSandbox()
	flow, err := sandbox.Secrets.Connect(ctx, "github", &openmiosa.ConnectOptions{ExposeAsEnv: "GITHUB_TOKEN"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("open", flow.AuthorizeURL())
	secret, err := flow.WaitForCompletion(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("connected:", secret.Name)
}

func ExampleFiles_UploadFS() {
	ctx, sandbox := exampleSandbox()
	progress := func(done, total int64) { fmt.Printf("\r%d of %d", done, total) }
	if err := sandbox.Files.UploadFS(ctx, project, "/workspace", &openmiosa.UploadOptions{Progress: progress}); err != nil {
		log.Fatal(err)
	}
}

func ExampleFiles_FS() {
	ctx, sandbox := exampleSandbox()
	if err := os.CopyFS("results", sandbox.Files.FS(ctx, "/workspace/results")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Fatal(err)
	}
}

func ExampleAPIError() {
	ctx, sandbox := exampleSandbox()
	_, err := sandbox.Secrets.Get(ctx, "no_such_secret")
	var answer *openmiosa.APIError
	switch {
	case errors.Is(err, openmiosa.ErrNotFound):
		fmt.Println("there is none")
	case errors.Is(err, openmiosa.ErrTransport):
		fmt.Println("no answer:", err)
	case errors.As(err, &answer):
		fmt.Println(answer.Code, answer.RequestID, answer.Retry)
	}
}

// exampleSandbox is a sandbox that exists already.
func exampleSandbox() (context.Context, *openmiosa.Sandbox) {
	ctx := context.Background()
	client, err := openmiosa.NewClient()
	if err != nil {
		log.Fatal(err)
	}
	sandbox, err := client.Sandboxes.GetByName(ctx, "support-agent")
	if err != nil {
		log.Fatal(err)
	}
	return ctx, sandbox
}
