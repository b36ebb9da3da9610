"""Cross-encoders of a local folder, run by onnxruntime."""
