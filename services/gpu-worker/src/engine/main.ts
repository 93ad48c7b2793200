/** Entry of the engine process: the model of @zfarm/zimage behind the worker's protocol. */
import { hostEngine } from "./host.ts";
import { openZImageModel } from "./zimage-model.ts";

await hostEngine(openZImageModel);
