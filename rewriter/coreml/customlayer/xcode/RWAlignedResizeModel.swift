// Loads a Core ML model that holds RWAlignedResize layers. Not compiled by this project's checks: there is no Swift
// compiler among them.
//
// The bridging header of the app has to contain: #import "RWAlignedResize.h"

import CoreML
import Foundation

public enum RWAlignedResizeModel {
    /// The model at `url`, an .mlmodelc directory, ready to predict.
    public static func load(
        contentsOf url: URL, configuration: MLModelConfiguration = MLModelConfiguration()
    ) throws -> MLModel {
        // Core ML finds the class by name. Naming it here keeps the linker from dropping it.
        precondition(NSClassFromString("RWAlignedResize") === RWAlignedResize.self)
        return try MLModel(contentsOf: url, configuration: configuration)
    }

    /// The same for an .mlmodel file, which is compiled first.
    public static func compileAndLoad(
        modelAt url: URL, configuration: MLModelConfiguration = MLModelConfiguration()
    ) throws -> MLModel {
        try load(contentsOf: MLModel.compileModel(at: url), configuration: configuration)
    }
}
