"""all-MiniLM-L6-v2 as an embedder: published weights run by onnxruntime, neither torch nor sentence-transformers."""
