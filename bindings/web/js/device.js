// What operators look at of a GPUDevice.

const LIMITS = [
    'maxBufferSize', 'maxStorageBufferBindingSize', 'maxComputeInvocationsPerWorkgroup', 'maxComputeWorkgroupSizeX',
    'maxComputeWorkgroupSizeY', 'maxComputeWorkgroupSizeZ', 'maxComputeWorkgroupStorageSize', 'maxComputeWorkgroupsPerDimension',
    'maxStorageBuffersPerShaderStage', 'maxStorageTexturesPerShaderStage', 'minStorageBufferOffsetAlignment',
];

/** Whether an adapter computes on the CPU. Some kernels have variants for that. */
export function isSoftware({ info = {} }) {
    const name = [info.vendor, info.architecture, info.device, info.description].join(' ');
    return Boolean(info.isFallbackAdapter) || /swiftshader|llvmpipe|lavapipe|basic render|warp/i.test(name);
}

/** What an operator looks at of a GPUDevice, as JSON. */
export function deviceRequest(device) {
    return JSON.stringify({
        f16: device.features.has('shader-f16'),
        software: isSoftware({ info: device.adapterInfo }),
        limits: Object.fromEntries(LIMITS.map((name) => [name, device.limits[name]])),
    });
}
