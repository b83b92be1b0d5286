module github.com/openmiosa/openmiosa/sdks/go

go 1.23
