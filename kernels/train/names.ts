/** Names of runs: two words that can be said aloud. */
import { Random } from "./prng.ts";

const QUALITIES = (
  "able agile airy amber ample apt artful azure balmy bold brave breezy bright brisk calm candid careful cheery civil clear " +
  "clever cool copper cosy crisp curious dapper daring deft eager early earnest easy fair fleet fond frank fresh gentle glad " +
  "golden grand hardy hazel honest humble jolly keen kind lively loyal lucid mellow merry mild modest neat nimble noble patient " +
  "placid plain polite prompt proud quick quiet ready robust rosy sage serene sharp silver smooth snug sober solid spry steady " +
  "sturdy sunny supple swift tidy trim vivid warm wary wise witty zesty"
).split(" ");

const ANIMALS = (
  "adder alpaca auk badger beaver bison bittern bream bunting buzzard camel carp civet cod condor coot crake crane cricket curlew " +
  "deer dipper dormouse dove dunlin eagle egret eider elk ermine falcon ferret finch fox gannet gecko gibbon goose grebe grouse " +
  "gull hare hawk heron hoopoe hornet ibex ibis jackdaw jay kestrel kite knot koala lark lemur linnet lizard llama lynx magpie " +
  "marten martin merlin mink mole moose moth newt nuthatch ocelot oriole osprey otter owl panda perch pigeon pika plover puffin " +
  "quail rail raven robin rook ruff salmon seal shrew siskin skylark sloth snipe sparrow squid stoat stork swallow swan swift " +
  "tapir teal tern thrush tiger toad trout turtle vole wagtail walrus weasel whale wigeon wren yak zebra"
).split(" ");

/** "lively-otter": the same name for the same seed; about 12,000 different ones. */
export function runName(seed: number): string {
  const random = new Random(seed, "name");
  return `${QUALITIES[random.below(QUALITIES.length)]}-${ANIMALS[random.below(ANIMALS.length)]}`;
}
