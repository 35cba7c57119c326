// Package doctest keeps the documents true: it reads every Markdown file a reader starts from, and refuses policy
// blocks that do not load, commands and flags that do not exist, API words that the code does not know and links that
// lead nowhere. It holds nothing but tests.
package doctest
