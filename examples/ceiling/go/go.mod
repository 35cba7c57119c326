module ceiling

go 1.24

require github.com/purserhq/purser/sdk/go v0.0.0

replace github.com/purserhq/purser/sdk/go => ../../../sdk/go
