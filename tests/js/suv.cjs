// Reads series on stdin, each a list of instances' metadata, and writes the SUVbw of 1 Bq/mL of each instance.
const { readFileSync } = require("node:fs");
const { calculateSUVScalingFactors } = require("@cornerstonejs/calculate-suv");

console.warn = () => {}; // it misses Patient's Size, which SUVbw does not need
const series = JSON.parse(readFileSync(0, "utf-8"));
const factors = series.map((instances) => calculateSUVScalingFactors(instances).map((each) => each.suvbw));
process.stdout.write(JSON.stringify(factors));
