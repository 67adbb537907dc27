//! A Vulkan layer that makes one chosen function of the driver fail. It stands between the loader and the driver of a process
//! that names it in `VK_INSTANCE_LAYERS`.
//!
//! `VISUAL_ATTENTION_FAULT=FUNCTION:CALL:CODE:once` makes call number `CALL` of `FUNCTION`, from 0, return the `VkResult` `CODE`
//! without reaching the driver; `lasting` instead of `once` does so to all later ones too. Each call of the functions below writes
//! `call: FUNCTION` to standard error, and a fault `fault: FUNCTION`.
//!
//! The runner compiles this file by itself as a dynamic library, without a dependency, and knows [`NAMES`] from it.

#![allow(unsafe_code, reason = "the interface between Vulkan's loader and its layers is C")]

use std::ffi::{CStr, c_char, c_void};
use std::io::Write;
use std::mem::transmute;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// Pointers, and the handles that are pointers.
type P = *mut c_void;
type Function = unsafe extern "system" fn();
/// `vkGetInstanceProcAddr` and `vkGetDeviceProcAddr`.
type Find = unsafe extern "system" fn(P, *const c_char) -> Option<Function>;

const INITIALIZATION_FAILED: i32 = -3;

struct Fault {
    function: String,
    call: u32,
    code: i32,
    once: bool,
}

fn fault() -> Option<&'static Fault> {
    static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
    let parse = || {
        let text = std::env::var("VISUAL_ATTENTION_FAULT").ok()?;
        let mut parts = text.split(':');
        let function = parts.next()?.to_owned();
        let (call, code) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Fault { function, call, code, once: parts.next()? == "once" })
    };
    FAULT.get_or_init(parse).as_ref()
}

/// One intercepted function.
struct Hook {
    name: &'static str,
    calls: AtomicU32,
    next: AtomicPtr<c_void>,
}

impl Hook {
    const fn new(name: &'static str) -> Self {
        Self { name, calls: AtomicU32::new(0), next: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Counts a call; what it has to return if it is to fail.
    fn fails(&self) -> Option<i32> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let due =
            |fault: &&Fault| fault.function == self.name && (call == fault.call || call > fault.call && !fault.once);
        let fault = fault().filter(due);
        let line = format!("{}: {}\n", if fault.is_some() { "fault" } else { "call" }, self.name);
        let _ = std::io::stderr().write_all(line.as_bytes());
        fault.map(|fault| fault.code)
    }
}

/// A function for each of these, which fails or goes on to the driver, and the table of them.
macro_rules! hooks {
    ($($name:ident($($argument:ident $type:ty),*);)*) => {
        $(#[allow(non_snake_case)]
        mod $name {
            use super::*;

            pub(super) static HOOK: Hook = Hook::new(stringify!($name));

            pub(super) unsafe extern "system" fn call($($argument: $type),*) -> i32 {
                if let Some(code) = HOOK.fails() {
                    return code;
                }
                // SAFETY: `found` stored the next function of this name before it gave this one out.
                unsafe {
                    let next = HOOK.next.load(Ordering::Acquire);
                    transmute::<P, unsafe extern "system" fn($($type),*) -> i32>(next)($($argument),*)
                }
            }
        })*

        /// What can fail.
        #[allow(dead_code, reason = "for the runner")]
        pub(crate) const NAMES: &[&str] = &["vkCreateInstance", "vkCreateDevice", $(stringify!($name)),*];

        fn hook(name: &[u8]) -> Option<(&'static Hook, *const ())> {
            $(if name == stringify!($name).as_bytes() {
                return Some((&$name::HOOK, $name::call as *const ()));
            })*
            None
        }
    };
}

hooks! {
    vkEnumeratePhysicalDevices(a P, b P, c P);
    vkEnumerateDeviceExtensionProperties(a P, b P, c P, d P);
    vkAllocateMemory(a P, b P, c P, d P);
    vkMapMemory(a P, b u64, c u64, d u64, e u32, f P);
    vkBindBufferMemory(a P, b u64, c u64, d u64);
    vkFlushMappedMemoryRanges(a P, b u32, c P);
    vkInvalidateMappedMemoryRanges(a P, b u32, c P);
    vkCreateBuffer(a P, b P, c P, d P);
    vkCreateShaderModule(a P, b P, c P, d P);
    vkCreateDescriptorSetLayout(a P, b P, c P, d P);
    vkCreatePipelineLayout(a P, b P, c P, d P);
    vkCreateComputePipelines(a P, b u64, c u32, d P, e P, f P);
    vkCreateDescriptorPool(a P, b P, c P, d P);
    vkAllocateDescriptorSets(a P, b P, c P);
    vkCreateQueryPool(a P, b P, c P, d P);
    vkCreateCommandPool(a P, b P, c P, d P);
    vkAllocateCommandBuffers(a P, b P, c P);
    vkBeginCommandBuffer(a P, b P);
    vkEndCommandBuffer(a P);
    vkResetCommandBuffer(a P, b u32);
    vkCreateFence(a P, b P, c P, d P);
    vkCreateSemaphore(a P, b P, c P, d P);
    vkQueueSubmit(a P, b u32, c P, d u64);
    vkWaitSemaphores(a P, b P, c u64);
    vkWaitForFences(a P, b u32, c P, d u32, e u64);
    vkGetSemaphoreCounterValue(a P, b u64, c P);
    vkGetFenceStatus(a P, b u64);
    vkQueueWaitIdle(a P);
    vkDeviceWaitIdle(a P);
}

/// The function of this name for whoever asks: a hook of ours in front of what is next, or what is next.
unsafe fn found(next: Option<Find>, handle: P, name: *const c_char) -> Option<Function> {
    // SAFETY: `next` is of the loader's, which asked with this handle and name.
    let (theirs, name) = unsafe { (next?(handle, name)?, CStr::from_ptr(name).to_bytes()) };
    // Before a function became core it had its extension's suffix.
    let Some((hook, ours)) = hook(name.strip_suffix(b"KHR").unwrap_or(name)) else { return Some(theirs) };
    hook.next.store(theirs as P, Ordering::Release);
    // SAFETY: it has the signature of what it stands for, by the table above.
    Some(unsafe { transmute::<*const (), Function>(ours) })
}

/// The loader's chain of layers, as in `vk_layer.h`: `VkLayerInstanceCreateInfo` and `VkLayerDeviceCreateInfo` are alike.
#[repr(C)]
struct CreateInfo {
    kind: i32,
    next: *mut CreateInfo,
    function: i32,
    link: *mut Link,
}

#[repr(C)]
struct Link {
    next: *mut Link,
    find_for_instance: Find,
    /// Of another type, and of no use here, in the chain of an instance.
    find_for_device: Find,
}

/// What follows in the chain of layers; the chain then starts behind this layer.
unsafe fn take_link(info: P, kind: i32) -> Option<*mut Link> {
    // SAFETY: every structure of Vulkan's chains begins with its type and the next one, and the loader's ends with a link.
    unsafe {
        let mut at = (*info.cast::<CreateInfo>()).next;
        while !at.is_null() && ((*at).kind != kind || (*at).function != 0) {
            at = (*at).next;
        }
        let link = at.as_mut()?.link;
        (*at).link = (*link).next;
        Some(link)
    }
}

static CREATE_INSTANCE: Hook = Hook::new("vkCreateInstance");
static CREATE_DEVICE: Hook = Hook::new("vkCreateDevice");
static INSTANCE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static FIND_FOR_INSTANCE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
static FIND_FOR_DEVICE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

unsafe extern "system" fn create_instance(info: P, allocator: P, instance: *mut P) -> i32 {
    if let Some(code) = CREATE_INSTANCE.fails() {
        return code;
    }
    // SAFETY: the loader calls with `vkCreateInstance`'s arguments and its chain, whose structures have type 47.
    unsafe {
        let Some(link) = take_link(info, 47) else { return INITIALIZATION_FAILED };
        let find = (*link).find_for_instance;
        FIND_FOR_INSTANCE.store(find as P, Ordering::Release);
        let Some(next) = find(ptr::null_mut(), c"vkCreateInstance".as_ptr()) else { return INITIALIZATION_FAILED };
        let result =
            transmute::<Function, unsafe extern "system" fn(P, P, *mut P) -> i32>(next)(info, allocator, instance);
        if result == 0 {
            INSTANCE.store(*instance, Ordering::Release);
        }
        result
    }
}

unsafe extern "system" fn create_device(physical: P, info: P, allocator: P, device: *mut P) -> i32 {
    if let Some(code) = CREATE_DEVICE.fails() {
        return code;
    }
    // SAFETY: as for the instance; the chain of a device has type 48.
    unsafe {
        let Some(link) = take_link(info, 48) else { return INITIALIZATION_FAILED };
        FIND_FOR_DEVICE.store((*link).find_for_device as P, Ordering::Release);
        let instance = INSTANCE.load(Ordering::Acquire);
        let Some(next) = ((*link).find_for_instance)(instance, c"vkCreateDevice".as_ptr()) else {
            return INITIALIZATION_FAILED;
        };
        transmute::<Function, unsafe extern "system" fn(P, P, P, *mut P) -> i32>(next)(
            physical, info, allocator, device,
        )
    }
}

unsafe extern "system" fn find_for_device(device: P, name: *const c_char) -> Option<Function> {
    // SAFETY: stored before there was a device; a null pointer is `None`.
    unsafe {
        if CStr::from_ptr(name) == c"vkGetDeviceProcAddr" {
            return Some(transmute::<Find, Function>(find_for_device));
        }
        found(transmute::<P, Option<Find>>(FIND_FOR_DEVICE.load(Ordering::Acquire)), device, name)
    }
}

unsafe extern "system" fn find_for_instance(instance: P, name: *const c_char) -> Option<Function> {
    // SAFETY: as above; the pointers have the signatures of their names.
    unsafe {
        let ours = match CStr::from_ptr(name).to_bytes() {
            b"vkGetInstanceProcAddr" => find_for_instance as *const (),
            b"vkGetDeviceProcAddr" => find_for_device as *const (),
            b"vkCreateInstance" => create_instance as *const (),
            b"vkCreateDevice" => create_device as *const (),
            _ => return found(transmute::<P, Option<Find>>(FIND_FOR_INSTANCE.load(Ordering::Acquire)), instance, name),
        };
        Some(transmute::<*const (), Function>(ours))
    }
}

/// `VkNegotiateLayerInterface`.
#[repr(C)]
pub(crate) struct Negotiation {
    kind: i32,
    next: P,
    version: u32,
    find_for_instance: Option<Find>,
    find_for_device: Option<Find>,
    find_for_physical_device: Option<Find>,
}

/// What the loader calls first.
///
/// # Safety
///
/// Only the loader may call it.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "system" fn vkNegotiateLoaderLayerInterfaceVersion(negotiation: *mut Negotiation) -> i32 {
    // SAFETY: the loader's own structure.
    let negotiation = unsafe { &mut *negotiation };
    negotiation.version = 2;
    negotiation.find_for_instance = Some(find_for_instance);
    negotiation.find_for_device = Some(find_for_device);
    negotiation.find_for_physical_device = None;
    0
}
