// What the binding of tfjs-node lacks for work on several machines: TensorFlow's collective operations. The context of
// TensorFlow is a private member of the package's backend, and Node hides the symbols of one addon from the next, so a
// second addon could not reach it. This file includes the package's own, unchanged, and is compiled in its place; its
// exports come beside theirs.

#include <node_api.h>

// All that the headers of the package include comes first, so that the word below changes nothing in it.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/eager/c_api.h"

#define private public
#include "tfjs_backend.h"
#undef private

#undef NAPI_MODULE
#define NAPI_MODULE(name, initializer)  // the package registers nothing: NAPI_MODULE_INIT below does
#include "tfjs_binding.cc"

// From tensorflow/c/eager/c_api_experimental.h, which would bring many more headers with it.
extern "C" {
void TFE_EnableCollectiveOps(TFE_Context *context, const void *server_def, size_t length, TF_Status *status);
void TFE_AbortCollectiveOps(TFE_Context *context, TF_Status *reason);
void TFE_CollectiveOpsCheckPeerHealth(TFE_Context *context, const char *task, int64_t milliseconds, TF_Status *status);
}

namespace tfnodejs {

void AssignOpAttr(napi_env env, TFE_Op *op, napi_value attribute);  // of tfjs_backend.cc

// Counts the threads at work, so that the context of TensorFlow is not deleted under them when the process ends.
class Crew {
 public:
  void Enter() {
    std::lock_guard<std::mutex> guard(mutex_);
    count_++;
  }

  void Leave() {
    std::lock_guard<std::mutex> guard(mutex_);
    count_--;
    changed_.notify_all();
  }

  bool WaitForAll(std::chrono::seconds longest) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, longest, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

static Crew crew;

// Work that waits for other processes. It runs on a thread of its own, so that the event loop goes on: neither on
// JavaScript's, nor on one of libuv's four, which file reads share.
struct Work {
  TF_Status *status = TF_NewStatus();
  std::function<void(TF_Status *)> run;
  // Back on JavaScript's thread, whatever the status: frees what the work held, and gives the result if it succeeded.
  std::function<napi_value(napi_env, bool succeeded)> finish;
  napi_deferred deferred = nullptr;
  napi_threadsafe_function settle = nullptr;

  ~Work() { TF_DeleteStatus(status); }
};

// An Error with TensorFlow's message and its code as a number, `tensorflowCode`.
static napi_value ErrorOf(napi_env env, TF_Status *status) {
  napi_value message, error, code;
  napi_create_string_utf8(env, TF_Message(status), NAPI_AUTO_LENGTH, &message);
  napi_create_error(env, nullptr, message, &error);
  napi_create_int32(env, TF_GetCode(status), &code);
  napi_set_named_property(env, error, "tensorflowCode", code);
  return error;
}

static void Settle(napi_env env, napi_value, void *, void *data) {
  std::unique_ptr<Work> work(static_cast<Work *>(data));
  if (env == nullptr) return;  // the process ends: nobody waits any more
  const bool succeeded = TF_GetCode(work->status) == TF_OK;
  const napi_value result = work->finish(env, succeeded);
  if (succeeded) {
    napi_resolve_deferred(env, work->deferred, result);
  } else {
    napi_reject_deferred(env, work->deferred, ErrorOf(env, work->status));
  }
  napi_release_threadsafe_function(work->settle, napi_tsfn_release);
}

// Starts work and gives the promise of its result.
static napi_value Start(napi_env env, std::unique_ptr<Work> work) {
  napi_value promise, name;
  ENSURE_NAPI_OK_RETVAL(env, napi_create_string_utf8(env, "collective", NAPI_AUTO_LENGTH, &name), nullptr);
  ENSURE_NAPI_OK_RETVAL(env, napi_create_promise(env, &work->deferred, &promise), nullptr);
  ENSURE_NAPI_OK_RETVAL(env,
                        napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr,
                                                        Settle, &work->settle),
                        nullptr);
  crew.Enter();
  std::thread([work = work.release()] {
    work->run(work->status);
    napi_call_threadsafe_function(work->settle, work, napi_tsfn_blocking);
    crew.Leave();
  }).detach();
  return promise;
}

static bool Arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  size_t given = count;
  ENSURE_NAPI_OK_RETVAL(env, napi_get_cb_info(env, info, &given, values, nullptr, nullptr), false);
  if (given < count) NAPI_THROW_ERROR(env, "Expected %zu arguments, got %zu.", count, given);
  return given >= count;
}

// The device on which tensors are made: as the package chooses it, the last GPU, else the CPU.
static void ChooseDevice(TFJSBackend *backend) {
  TF_AutoStatus status;
  TF_DeviceList *devices = TFE_ContextListDevices(backend->tfe_context_, status.status);
  if (TF_GetCode(status.status) != TF_OK) return;
  std::string cpu, gpu;
  for (int i = 0; i < TF_DeviceListCount(devices); i++) {
    const std::string type = TF_DeviceListType(devices, i, status.status);
    if (type == "CPU") cpu = TF_DeviceListName(devices, i, status.status);
    if (type == "GPU") gpu = TF_DeviceListName(devices, i, status.status);
  }
  TF_DeleteDeviceList(devices);
  backend->device_name = gpu.empty() ? cpu : gpu;
  backend->is_gpu_device = !gpu.empty();
}

// enableCollectives(serverDef: Uint8Array): Promise<string>
// Starts the server of this process, or starts over after a failure. The devices are other objects afterwards, with other
// names; gives the name of the one that tensors are made on.
static napi_value EnableCollectives(napi_env env, napi_callback_info info) {
  napi_value args[1];
  if (!Arguments(env, info, 1, args)) return nullptr;
  TFJSBackend *const backend = GetTFJSBackend(env);
  if (!backend) return nullptr;
  napi_typedarray_type type;
  size_t length;
  void *data;
  ENSURE_NAPI_OK_RETVAL(env, napi_get_typedarray_info(env, args[0], &type, &length, &data, nullptr, nullptr), nullptr);
  if (type != napi_uint8_array) {
    NAPI_THROW_ERROR(env, "Expected the ServerDef as a Uint8Array.");
    return nullptr;
  }
  const std::string server_def(static_cast<const char *>(data), length);
  auto work = std::make_unique<Work>();
  work->run = [backend, server_def](TF_Status *status) {
    TFE_EnableCollectiveOps(backend->tfe_context_, server_def.data(), server_def.size(), status);
  };
  work->finish = [backend](napi_env env, bool succeeded) {
    napi_value name = nullptr;
    if (succeeded) ChooseDevice(backend);
    napi_create_string_utf8(env, backend->device_name.c_str(), NAPI_AUTO_LENGTH, &name);
    return name;
  };
  return Start(env, std::move(work));
}

using Op = std::shared_ptr<TFE_Op>;

// The op of the arguments name, attributes, inputIds; null when an exception is pending.
static Op MakeOp(napi_env env, TFJSBackend *backend, napi_value *args) {
  std::string name;
  ENSURE_NAPI_OK_RETVAL(env, GetStringParam(env, args[0], name), nullptr);

  TF_AutoStatus status;
  Op op(TFE_NewOp(backend->tfe_context_, name.c_str(), status.status), [](TFE_Op *made) {
    if (made != nullptr) TFE_DeleteOp(made);
  });
  ENSURE_TF_OK_RETVAL(env, status, nullptr);

  uint32_t count;
  ENSURE_NAPI_OK_RETVAL(env, napi_get_array_length(env, args[2], &count), nullptr);
  for (uint32_t i = 0; i < count; i++) {
    napi_value element;
    int32_t id;
    ENSURE_NAPI_OK_RETVAL(env, napi_get_element(env, args[2], i, &element), nullptr);
    ENSURE_NAPI_OK_RETVAL(env, napi_get_value_int32(env, element, &id), nullptr);
    const auto entry = backend->tfe_handle_map_.find(id);
    if (entry == backend->tfe_handle_map_.end()) {
      NAPI_THROW_ERROR(env, "There is no tensor %d.", id);
      return nullptr;
    }
    TFE_OpAddInput(op.get(), entry->second, status.status);  // it keeps the tensor by a reference of its own
    ENSURE_TF_OK_RETVAL(env, status, nullptr);
  }
  ENSURE_NAPI_OK_RETVAL(env, napi_get_array_length(env, args[1], &count), nullptr);
  for (uint32_t i = 0; i < count; i++) {
    napi_value attribute;
    ENSURE_NAPI_OK_RETVAL(env, napi_get_element(env, args[1], i, &attribute), nullptr);
    AssignOpAttr(env, op.get(), attribute);
    if (IsExceptionPending(env)) return nullptr;
  }
  return op;
}

using Outputs = std::vector<TFE_TensorHandle *>;

static void Execute(TFE_Op *op, Outputs *outputs, TF_Status *status) {
  int size = static_cast<int>(outputs->size());
  TFE_Execute(op, outputs->data(), &size, status);
}

static napi_value InfosOf(napi_env env, TFJSBackend *backend, const Outputs &outputs) {
  napi_value infos = nullptr;
  napi_create_array_with_length(env, outputs.size(), &infos);
  for (uint32_t i = 0; i < outputs.size(); i++) {
    napi_set_element(env, infos, i, backend->GenerateOutputTensorInfo(env, outputs[i]));
  }
  return infos;
}

// executeOpAsync(name, attributes, inputIds, numOutputs): Promise<{ id, shape, dtype }[]>
// As the package's executeOp, without holding up the event loop.
static napi_value ExecuteOpAsync(napi_env env, napi_callback_info info) {
  napi_value args[4];
  if (!Arguments(env, info, 4, args)) return nullptr;
  TFJSBackend *const backend = GetTFJSBackend(env);
  if (!backend) return nullptr;
  const Op op = MakeOp(env, backend, args);
  if (op == nullptr) return nullptr;
  int32_t num_outputs;
  ENSURE_NAPI_OK_RETVAL(env, napi_get_value_int32(env, args[3], &num_outputs), nullptr);

  auto outputs = std::make_shared<Outputs>(num_outputs, nullptr);
  auto work = std::make_unique<Work>();
  work->run = [op, outputs](TF_Status *status) { Execute(op.get(), outputs.get(), status); };
  work->finish = [backend, outputs](napi_env env, bool succeeded) -> napi_value {
    return succeeded ? InfosOf(env, backend, *outputs) : nullptr;
  };
  return Start(env, std::move(work));
}

// Looks after other processes while JavaScript stands still, as its timers do otherwise: one that is silent twice in a
// row is gone, and what waits for it is ended.
class Lookout {
 public:
  Lookout(TFE_Context *context, std::vector<std::string> tasks) : shared_(std::make_shared<Shared>()) {
    crew.Enter();
    std::thread([context, tasks = std::move(tasks), shared = shared_] {
      std::string suspect;
      while (!shared->DoneWithin(std::chrono::seconds(3))) {
        const std::string silent = Silent(context, tasks);
        if (!silent.empty() && silent == suspect && !shared->DoneWithin(std::chrono::seconds(0))) {
          TF_AutoStatus reason;
          TF_SetStatus(reason.status, TF_UNAVAILABLE, (silent + " does not answer any more").c_str());
          TFE_AbortCollectiveOps(context, reason.status);
          break;
        }
        suspect = silent;
      }
      crew.Leave();
    }).detach();
  }

  ~Lookout() { shared_->Finish(); }

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;

    bool DoneWithin(std::chrono::seconds longest) {
      std::unique_lock<std::mutex> lock(mutex);
      return changed.wait_for(lock, longest, [this] { return done; });
    }

    void Finish() {
      std::lock_guard<std::mutex> guard(mutex);
      done = true;
      changed.notify_all();
    }
  };

  // The first process that does not answer; empty when all do.
  static std::string Silent(TFE_Context *context, const std::vector<std::string> &tasks) {
    for (const std::string &task : tasks) {
      TF_AutoStatus status;
      TFE_CollectiveOpsCheckPeerHealth(context, task.c_str(), 8000, status.status);
      if (TF_GetCode(status.status) != TF_OK) return task;
    }
    return "";
  }

  std::shared_ptr<Shared> shared_;
};

// executeOpWatched(name, attributes, inputIds, numOutputs, tasks): { id, shape, dtype }[]
// As the package's executeOp, which holds up JavaScript; the other processes are looked after meanwhile.
static napi_value ExecuteOpWatched(napi_env env, napi_callback_info info) {
  napi_value args[5];
  if (!Arguments(env, info, 5, args)) return nullptr;
  TFJSBackend *const backend = GetTFJSBackend(env);
  if (!backend) return nullptr;
  const Op op = MakeOp(env, backend, args);
  if (op == nullptr) return nullptr;
  int32_t num_outputs;
  ENSURE_NAPI_OK_RETVAL(env, napi_get_value_int32(env, args[3], &num_outputs), nullptr);
  uint32_t count;
  ENSURE_NAPI_OK_RETVAL(env, napi_get_array_length(env, args[4], &count), nullptr);
  std::vector<std::string> tasks(count);
  for (uint32_t i = 0; i < count; i++) {
    napi_value element;
    ENSURE_NAPI_OK_RETVAL(env, napi_get_element(env, args[4], i, &element), nullptr);
    ENSURE_NAPI_OK_RETVAL(env, GetStringParam(env, element, tasks[i]), nullptr);
  }

  Outputs outputs(num_outputs, nullptr);
  TF_AutoStatus status;
  {
    const Lookout lookout(backend->tfe_context_, std::move(tasks));
    Execute(op.get(), &outputs, status.status);
  }
  if (TF_GetCode(status.status) == TF_OK) return InfosOf(env, backend, outputs);
  napi_throw(env, ErrorOf(env, status.status));
  return nullptr;
}

// abortCollectives(code: number, message: string): void
// Ends every collective that waits, and each later one, with this error.
static napi_value AbortCollectives(napi_env env, napi_callback_info info) {
  napi_value args[2];
  if (!Arguments(env, info, 2, args)) return nullptr;
  TFJSBackend *const backend = GetTFJSBackend(env);
  if (!backend) return nullptr;
  int32_t code;
  std::string message;
  ENSURE_NAPI_OK_RETVAL(env, napi_get_value_int32(env, args[0], &code), nullptr);
  ENSURE_NAPI_OK_RETVAL(env, GetStringParam(env, args[1], message), nullptr);
  TF_AutoStatus reason;
  TF_SetStatus(reason.status, static_cast<TF_Code>(code), message.c_str());
  TFE_AbortCollectiveOps(backend->tfe_context_, reason.status);
  return nullptr;
}

// checkPeer(task: string, milliseconds: number): Promise<void>
// Whether the server of another process answers. It says nothing of the JavaScript there.
static napi_value CheckPeer(napi_env env, napi_callback_info info) {
  napi_value args[2];
  if (!Arguments(env, info, 2, args)) return nullptr;
  TFJSBackend *const backend = GetTFJSBackend(env);
  if (!backend) return nullptr;
  std::string task;
  int64_t milliseconds;
  ENSURE_NAPI_OK_RETVAL(env, GetStringParam(env, args[0], task), nullptr);
  ENSURE_NAPI_OK_RETVAL(env, napi_get_value_int64(env, args[1], &milliseconds), nullptr);
  auto work = std::make_unique<Work>();
  work->run = [backend, task, milliseconds](TF_Status *status) {
    TFE_CollectiveOpsCheckPeerHealth(backend->tfe_context_, task.c_str(), milliseconds, status);
  };
  work->finish = [](napi_env env, bool) {
    napi_value nothing = nullptr;
    napi_get_undefined(env, &nothing);
    return nothing;
  };
  return Start(env, std::move(work));
}

// The process ends: whoever still waits for others is told, and the context stays until they have left it.
static void EndCollectives(void *data) {
  TF_AutoStatus reason;
  TF_SetStatus(reason.status, TF_CANCELLED, "the process ends");
  if (!crew.WaitForAll(std::chrono::seconds(0))) {
    TFE_AbortCollectiveOps(static_cast<TFJSBackend *>(data)->tfe_context_, reason.status);
    // What does not hear the abort would crash on a deleted context, so the process ends without deleting it.
    if (!crew.WaitForAll(std::chrono::seconds(5))) std::_Exit(EXIT_FAILURE);
  }
}

}  // namespace tfnodejs

NAPI_MODULE_INIT() {
  exports = tfnodejs::InitTFNodeJSBinding(env, exports);
  tfnodejs::TFJSBackend *const backend = tfnodejs::GetTFJSBackend(env);
  if (!backend) return exports;
  // Added after the backend was stored, so it is called before the backend is deleted.
  napi_add_env_cleanup_hook(env, tfnodejs::EndCollectives, backend);
  napi_property_descriptor added[] = {
      {"enableCollectives", nullptr, tfnodejs::EnableCollectives, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"executeOpAsync", nullptr, tfnodejs::ExecuteOpAsync, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"executeOpWatched", nullptr, tfnodejs::ExecuteOpWatched, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"abortCollectives", nullptr, tfnodejs::AbortCollectives, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"checkPeer", nullptr, tfnodejs::CheckPeer, nullptr, nullptr, nullptr, napi_default, nullptr},
  };
  napi_define_properties(env, exports, ARRAY_SIZE(added), added);
  return exports;
}
