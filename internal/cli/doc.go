// Package cli is the command line: `freshet serve`, `health`, `sub`, `match`, `import`, `export`, `backup`, `restore`,
// `data check`, `log dump`, `config check`, `version` and shell completion.
//
// Invariants:
//
//  1. Exit codes: 0 is success, a stop by SIGINT or SIGTERM included; 1 a failure at run time; 2 a wrong command line
//     or configuration, found before anything was started. `freshet match` has grep's: 0 something was found, 1 nothing
//     was, 2 a wrong command line or query, an input that could not be read or understood in full, an interruption.
//  2. Errors are one line on standard error, `freshet: ` and what is wrong with the remedy; never a stack, never a page
//     of usage. A wrong configuration is a line for each wrong value.
//  3. Standard output carries what was asked for and nothing else; logs and notices go to standard error.
//
// Main blocks until the command is done. What serves is handed in, so this package knows nothing of the node.
package cli
