//! The binary `actiongraph`.

/// Answers and imports make many small values; this allocator takes a fifth less time for them than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    actiongraph::cli::main()
}
