// Reads a prepared picture with ONNX Runtime's C API: ./read MODEL.onnx PIXELS
// PIXELS is a file of 28×28 bytes, row by row: 0 = paper, 255 = full ink.
#include <onnxruntime_c_api.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 28, PIXELS = SIDE * SIDE };
static const OrtApi *ort;
static OrtAllocator *memory;

static void fail(const char *name, const char *why) {
  fprintf(stderr, "error: %s: %s\n", name, why);
  exit(1);
}

static void check(OrtStatus *status) {
  if (status) fail("ONNX Runtime", ort->GetErrorMessage(status));
}

// One of the model's properties, as JSON.
static char *property(const OrtModelMetadata *about, const char *name) {
  char *value = NULL;
  check(ort->ModelMetadataLookupCustomMetadataMap(about, memory, name, &value));
  if (!value) fail(name, "expected it among the model's properties, found none");
  return value;
}

// Prints string number `wanted` of a JSON array of strings such as ["0", "1"].
static void print_item(const char *json, size_t wanted) {
  for (size_t quotes = 0; *json; json++) {
    if (*json == '"') {
      quotes++;
    } else {
      if (*json == '\\') json++; // then a quote or a backslash
      if (quotes == 2 * wanted + 1) putchar(*json);
    }
  }
}

int main(int count, char **arguments) {
  if (count != 3) fail(arguments[0], "expected MODEL.onnx PIXELS");
  unsigned char bytes[PIXELS + 1];
  FILE *file = fopen(arguments[2], "rb");
  if (!file || fread(bytes, 1, PIXELS + 1, file) != PIXELS) fail(arguments[2], "expected a file of 784 bytes");
  float pixels[PIXELS];
  for (int i = 0; i < PIXELS; i++) pixels[i] = bytes[i] / 255.0f;

  if (!(ort = OrtGetApiBase()->GetApi(ORT_API_VERSION))) fail("ONNX Runtime", "older than its header");
  OrtEnv *env;
  OrtSessionOptions *options;
  OrtSession *session;
  OrtMemoryInfo *cpu;
  check(ort->CreateEnv(ORT_LOGGING_LEVEL_WARNING, "read", &env));
  check(ort->CreateSessionOptions(&options));
  check(ort->CreateSession(env, arguments[1], options, &session));
  check(ort->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &cpu));
  check(ort->GetAllocatorWithDefaultOptions(&memory));

  const char *inputs[] = {"image"}, *outputs[] = {"probabilities"};
  const int64_t shape[] = {1, SIDE, SIDE, 1};
  OrtValue *image = NULL, *answer = NULL;
  check(ort->CreateTensorWithDataAsOrtValue(cpu, pixels, sizeof pixels, shape, 4,
                                            ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &image));
  check(ort->Run(session, NULL, inputs, (const OrtValue *const *)&image, 1, outputs, 1, &answer));

  float *probabilities;
  OrtTensorTypeAndShapeInfo *info;
  size_t classes, best = 0;
  check(ort->GetTensorMutableData(answer, (void **)&probabilities));
  check(ort->GetTensorTypeAndShape(answer, &info));
  check(ort->GetTensorShapeElementCount(info, &classes));
  for (size_t i = 1; i < classes; i++)
    if (probabilities[i] > probabilities[best]) best = i;

  OrtModelMetadata *about;
  check(ort->SessionGetModelMetadata(session, &about));
  print_item(property(about, "classes"), best);
  int unsure = probabilities[best] < atof(property(about, "threshold"));
  printf(" %.1f %%%s\n", 100 * probabilities[best], unsure ? " unsure" : "");
  return 0; // the system takes back what is left
}
