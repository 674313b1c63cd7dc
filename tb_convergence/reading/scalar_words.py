"""The words that people put into the names of scalars, by what they mean.

Data for `scalar_roles`. Everything is in lower case; a name is split at punctuation and between
"camelCase" words before it is looked up.
"""

from __future__ import annotations

from typing import Final


def _in_order(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TRAINING: Final = _words("train training trn tr trainer")

VALIDATION: Final = _in_order(
    """
    val valid validation validate dev devel heldout holdout cv va vl eval evaluation evaluate
    test testing tst te
    """
)
"""Words for data that is not trained on, best first: a validation set is one to choose by, a test
set is only read where there is no other."""

PER_EPOCH: Final = _words("epoch epochs")
PER_STEP: Final = _words("batch step steps iter iteration iterations minibatch")

LOSS: Final = _words("loss losses cost costs objective criterion")
"""Words that make a scalar a loss whatever else its name says."""

NAMED_LOSS: Final = _words(
    """
    nll ce xent xe xentropy crossentropy bce logloss mse mae rmse huber ctc rnnt infonce nce ntxent
    bpd kld hinge freeenergy l1
    """
)
"""Losses by name. Without a word of `LOSS`, they are read as the loss where no other scalar is."""

MAXIMIZED: Final = _words("loglikelihood loglik loglike logprob logprobs elbo")
"""What a training maximizes; its negative is the loss. Many people log the negative under the
plain name, so that the name alone does not tell whether it should rise or fall."""

NEGATED: Final = _words("neg negative minus")

ALONE_THE_LOSS: Final = _words("data main task supervised unsupervised")
"""Words of a loss that is the whole where it stands alone, and a term beside other terms:
"supervised_loss" beside "unsupervised_loss", "data_loss" beside "pde_loss"."""

TOTAL: Final = _words("total overall full combined sum all final tot")

FILLER: Final = _words(
    """
    avg average averaged mean running smoothed smooth ema scalar scalars metric metrics log logs
    logged summary summaries model network net curve vs per the by of on at each every and
    current cur raw global monitor monitoring stats history performance progress data set
    dataset split report results result value main my compile for in during end after lightning
    tensorboard optim optimization plot graph info task mini phase unsupervised supervised new
    mul truediv div add identity lightly this is
    """
)
"""Words that tell nothing of which loss it is."""

AVERAGES: Final = _words("avg average averaged mean running smoothed")

NOT_THE_VALUE: Final = _words(
    """
    scale scaler weight weights coef coeff coefs coefficient ratio std stdev stddev var variance
    min max minimum maximum lowest count threshold delta change diff difference improvement best
    lambda factor multiplier schedule time speed seconds patience gap target grad gradient norm
    decay steps_since num number
    """
)
"""Words that make of "loss" a setting, a spread or an extreme rather than the loss itself."""

GENERATOR: Final = _words("g gen generator netg")
DISCRIMINATOR: Final = _words("d disc dis discrim discriminator netd")
CRITIC: Final = _words("critic")
"""A discriminator beside a generator, an agent's value network beside an actor."""

AGENT_ALGORITHMS: Final = _words("ppo sac dqn ddqn a2c a3c ddpg td3 trpo reinforce")
"""Names of algorithms: what they minimize is a reinforcement learner's, even where it is alone."""

AGENT: Final = AGENT_ALGORITHMS | _words(
    """
    policy policygradient actor pg pi vf td q qf qf1 qf2 q1 q2 entropy ent surrogate surr
    temperature alpha advantage valuefunction
    """
)
"""With a word of `LOSS`: one of the losses of a reinforcement learner."""

AGENT_ALONE: Final = _words("approxkl clipfraction clipfrac explainedvariance explvar entcoef")
"""Words that only a reinforcement learner writes."""

REWARD: Final = _words(
    """
    reward rewards rew return returns ret epret eprewmean episodicreturn episodereward
    meanreward
    """
)
NOT_THE_REWARD: Final = _words(
    """
    std stddev min max len length chosen rejected margin margins accuracy accuracies scale var
    loss coef model time norm threshold count normalized intrinsic steps target best num bonus
    curiosity gail rnd imitation
    """
)
"""Words beside a reward that make it something else, such as its spread or a preference model's."""
REWARD_FILLER: Final = _words(
    """
    rollout rollouts ep eps episode episodes episodic cumulative environment env charts mean avg
    average total sum train training eval evaluation test sampler results extrinsic undiscounted
    discounted agent score info hist stats undisc running moving per the by step global raw last
    100 10 policy
    """
)

METRICS_UP: Final = _words(
    """
    accuracy acc auc auroc auprc roc f1 fscore fbeta precision prec recall map map50 ap ap50
    ap75 miou iou bleu rouge rouge1 rouge2 rougel meteor cider psnr ssim r2 top1 top5 acc1 acc5
    hits mrr ndcg kappa mcc sensitivity specificity jaccard correct em score spearman pearson
    correlation corr inception success winrate elo
    """
)
METRICS_DOWN: Final = _words(
    """
    error err errors errorrate wer cer ter per ppl perplexity fid mape smape eer mpjpe lpips bpc
    bpb epe mse mae rmse bpd nll logloss
    """
)
PERPLEXITIES: Final = _words("ppl perplexity")
LIKELIHOODS: Final = PERPLEXITIES | _words("bpc bpb bpd")
"""Metrics that are the loss of a model of text or images, on another scale."""
BOTH: Final = _words("dice iou ssim ap acc map")
"""Metrics that also lend their name to a loss (`dice_loss`)."""

CURRICULUM: Final = _words("curriculum difficulty lesson")

COUNTERS: Final = _words(
    """
    epoch epochs step steps globalstep iteration iter time sec secs second seconds ms fps
    throughput runtime memory mem gpu cpu eta examples samples tokens seen momentum beta beta1
    beta2 lambda scale duration speed hours size temperature dropout wd flops flos utilization
    power version num count counter hp hparams length len frames timesteps n rate ram vram
    patience
    """
)
"""Words of scalars that are counters, timers or settings; only looked at where nothing else is."""

REPLICAS: Final = _words("fold client worker seed trial exp experiment run replica member")
"""Words that, with a number, tell trainings apart that were written side by side."""

KNOWN_PARTS: Final = _words(
    """
    box bbox obj objectness cls class classification classifier dfl rpn mask kpt kobj keypoint
    seg reg localization loc giou iou centerness recon reconstruction kl kld commit commitment
    codebook aux l1 l2 regularization ce dice sem
    """
)
"""Terms of the sums that detectors, segmenters and variational autoencoders minimize."""

PENALTIES: Final = _words("regularization regularisation regularizer reg l1 l2 weight decay")
"""Terms that alone are not the loss."""

OBSERVED: Final = _words(
    """
    reward rewards return returns episode environment action actions observation observations
    advantage advantages input inputs output outputs target targets label labels prediction
    predictions pred preds logit logits prob probs probability probabilities softmax score scores
    confidence activation activations relu sigmoid tanh loss losses error errors accuracy image
    images pixel pixels distance distances length lengths
    """
)
"""Words of histograms of what a model sees, says, or earns: no weights. Unity's ML-Agents writes
one of "Environment/Cumulative Reward", TensorFlow 1 tutorials one of each layer's "activations"."""

GLUED: Final = _in_order(
    """
    train training val valid validation test eval dev total avg mean epoch batch gen disc
    running global
    """
)
"""Words that people write together with the next or the one before, as in "valloss", "lossval"."""
