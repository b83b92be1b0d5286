module github.com/openmiosa/openmiosa/examples/go/walkthrough

go 1.23

require github.com/openmiosa/openmiosa/sdks/go v0.1.0

replace github.com/openmiosa/openmiosa/sdks/go => ../../../sdks/go
