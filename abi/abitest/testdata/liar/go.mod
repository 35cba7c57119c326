module liar

go 1.24
