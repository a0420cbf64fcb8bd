// The least there is: a device, an upload, a readback.
import { openDevice } from "../../src/index.ts";

const device = await openDevice();
console.log(await device.tensor([1, 2, 3]).read());
