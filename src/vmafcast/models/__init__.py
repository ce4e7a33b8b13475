"""Recipe, design matrix, network, batched training, ONNX export and ONNX runtime."""
