"""The Core ML custom layer `RWAlignedResize`: its parameters, its Objective-C, C, Metal and Swift sources, and the
check of these sources on a machine without Apple's tools."""
